"""The production network: model, control variate, presets, folder, analysis, exact solutions."""
