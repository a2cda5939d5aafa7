"""The registry feed: confirmed emissions once each, with proof, and a consumer that checks them."""
