pub fn thinned() {}
