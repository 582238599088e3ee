"""What the thesis says of figure 2.2 (section 2.2). It prints no numbers, and neither do we."""

PUBLISHED = (
    "The thesis shows BERT on IMDb over 5,000 steps, from Sun et al. 2019 (figure 2.2), at rates from 2e-5 to 4e-4. At "
    "4e-4 it does not converge, and the rate must be 1e-4 or lower. The curves are a picture, without numbers."
)
