"""Where an image starts: public AMIs, custom ones, Marketplace products, other golden images."""
