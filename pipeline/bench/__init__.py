"""`stellwerk pipe bench`: what the pipeline costs, measured side by side on the machine at hand."""
