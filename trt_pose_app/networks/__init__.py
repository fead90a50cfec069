"""Networks as torch modules, for training and conversion only: the run time never imports this package."""
