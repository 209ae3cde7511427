// Put before every source file of a fuzz program: its memory may be refused.
#ifndef PERIGEE_FUZZ_FAULTS_H
#define PERIGEE_FUZZ_FAULTS_H

// As a file that wants it would say before it includes anything, which it can't where this one comes first.
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/// The request that will be refused, counted from 1 and down; 0 for none. All after it are too if `faults_go_on`.
extern long faults_countdown;
extern bool faults_go_on;
/// Whether one was refused.
extern bool faults_hit;

void *faulty_malloc(size_t size);
void *faulty_calloc(size_t count, size_t size);
void *faulty_realloc(void *block, size_t size);
char *faulty_strndup(const char *text, size_t length);

#define malloc(size) faulty_malloc(size)
#define calloc(count, size) faulty_calloc(count, size)
#define realloc(block, size) faulty_realloc(block, size)
#define strndup(text, length) faulty_strndup(text, length)

#endif
