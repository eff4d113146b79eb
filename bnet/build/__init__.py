"""The build engine: brings the packages of a source tree up to date, and builds nothing twice. Knows no hub."""
