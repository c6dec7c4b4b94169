"""The exporter among many destinations: model, control variate, presets, folder, exact solutions."""
