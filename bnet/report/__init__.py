"""Reports: from facts to figures, from figures to a document, from that to what people read; all of it pure."""
