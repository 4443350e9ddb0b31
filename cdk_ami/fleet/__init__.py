"""How a golden image is launched: groups over zones, and single servers in zones."""
