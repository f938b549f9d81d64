#ifndef WAMIM_IMAGES_H
#define WAMIM_IMAGES_H
#endif
