"""Tables, figures and claims of Wang, Xu, Yang and Zhu (2024)."""
