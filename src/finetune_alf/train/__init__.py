"""One fit: an encoder, labelled texts and a Recipe in, a FitResult out. Searching over fits is `study/`."""
