"""TAXII 2.1: the articles as STIX, for platforms that poll (OpenCTI, MISP)."""
