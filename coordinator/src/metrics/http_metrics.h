/** The HTTP front's numbers in the registry. */
#ifndef COORD_HTTP_METRICS_H
#define COORD_HTTP_METRICS_H

#include "http/http.h"
#include "metrics/metrics.h"

struct coord_http_metrics;

/** Add the families qkms_http_*; they are brought up to date at every coord_metrics_write.
 *  http must outlive the last coord_metrics_write. Errors as coord_metrics_add. */
QK_MUST_USE qk_err coord_http_metrics_new(
    struct coord_http_metrics **out, struct coord_metrics *metrics, struct coord_http *http);
/** After the last coord_metrics_write. NULL is allowed. */
void coord_http_metrics_free(struct coord_http_metrics *hm);

#endif
