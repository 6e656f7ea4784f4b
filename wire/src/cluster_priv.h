/** Between the files that make up wire/cluster.h. */
#ifndef WIRE_CLUSTER_PRIV_H
#define WIRE_CLUSTER_PRIV_H

#include "wire/cluster.h"

/** Compute cluster->hash from the other fields. */
QK_MUST_USE qk_err wire_cluster_seal(struct wire_cluster *cluster);

#endif
