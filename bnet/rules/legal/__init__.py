"""Whether a transaction was legal: derived once more from the rules, and compared, part by part."""
