/*
 * image_sweep.h - files of images that have been left behind.
 */
#ifndef MFREC_IMAGE_SWEEP_H
#define MFREC_IMAGE_SWEEP_H

extern void SweepImages(void);

#endif
