"""Search, train and serve real-time segmentation networks (LGCNet)."""

from lgcnet_tf.cpu import use_onednn as _use_onednn

_use_onednn()  # before anything of the package imports TensorFlow
