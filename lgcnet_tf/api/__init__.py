"""The functions of `import lgcnet_tf`: plain arguments in, objects out.

They call the commands, so that a notebook and a command line do the same. Importing
this room imports nothing heavy.
"""
