"""Export to SavedModel, the embedded gRPC server and its client.

Importing the package imports nothing heavy: take what is needed from its
modules, `export`, `server`, `client` and `predict_files`.
"""
