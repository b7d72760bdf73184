"""Recordings as a source of images: HDF5 files, and dumps of stream 1."""
