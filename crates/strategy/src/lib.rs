//! Strategy files: format, loader, the built-in five
