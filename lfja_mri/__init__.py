"""Grade lumbar facet joint synovitis on MRI, and its change from baseline.

Research software, not a medical device.
"""

__version__ = "0.1.0"
