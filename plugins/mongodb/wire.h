/* SPDX-License-Identifier: BSD-2-Clause */
/* wire.h - a socket as libmongoc wants one, which stops waiting at the deadline of its link. */
#ifndef DICTUM_MONGODB_WIRE_H
#define DICTUM_MONGODB_WIRE_H

#include "link.h"

/** Connects, as mongoc_client_set_stream_initiator() has it done. @p link is a struct link. */
mongoc_stream_t *mongo_wire_open(const mongoc_uri_t *uri, const mongoc_host_list_t *host,
                                 void *link, bson_error_t *error);

#endif
