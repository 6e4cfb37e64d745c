"""Mining within folds: parts of the characters, each mined by itself, for protocols that test one
part with what was learned on the others."""
