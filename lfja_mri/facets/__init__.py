"""Named discs to facet-joint frames and zones."""
