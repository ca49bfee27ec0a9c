"""What every other room uses: errors, files, randomness."""
