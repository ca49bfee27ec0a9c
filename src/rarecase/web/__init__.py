"""What every server of this project needs: an address; connections, bodies and failures that end as they should."""
