"""Tables and figures of Wang, Xu, Yang and Zhu (2024) and of Huang and Yu (2024), computed, beside the published."""
