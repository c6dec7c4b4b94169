"""The tables and figures of Wang, Xu, Yang and Zhu (2024), computed, beside the published numbers."""
