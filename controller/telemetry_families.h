/* telemetry_families.h - every metric that weir exposes about itself, once. */
#ifndef WEIR_TELEMETRY_FAMILIES_H
#define WEIR_TELEMETRY_FAMILIES_H

#include "telemetry.h"

extern const struct family_description family_build_info, /* weir_build_info{version} 1 */
    family_http_requests,                                 /* weir_http_requests_total{route,code} */
    family_evaluations,     /* weir_evaluations_total{environment,reason} */
    family_fetches,         /* weir_git_fetches_total{result}: changed, unchanged, failed */
    family_fetch_seconds,   /* weir_git_fetch_seconds_total */
    family_last_fetch,      /* weir_git_last_fetch_timestamp_seconds{result}: succeeded, failed */
    family_commits,         /* weir_commits_total{result}: served, quarantined (in part), refused */
    family_compile_seconds, /* weir_compile_seconds_total */
    family_faults,          /* weir_definition_faults{severity}: of the newest commit */
    family_quarantined,     /* weir_definitions_quarantined: not in force as the commit has them */
    family_snapshot_version,      /* weir_snapshot_version: rises with each swap */
    family_http_cut,              /* weir_http_connections_cut_total{reason}: slow, crowded */
    family_event_streams,         /* weir_event_streams{environment} */
    family_events_sent,           /* weir_events_sent_total{environment} */
    family_event_streams_refused, /* weir_event_streams_refused_total */
    family_snapshot_timestamp,    /* weir_snapshot_timestamp_seconds */
    family_flags,                 /* weir_flags{environment} */
    family_target_pushes,         /* weir_target_pushes_total{target,result}: ok, failed, refused */
    family_webhooks,              /* weir_webhooks_total{forge,result} */
    family_commit_statuses,       /* weir_commit_statuses_total{result} */
    family_notifications,         /* weir_notifications_total{channel,result} */
    family_notifications_waiting, /* weir_notifications_waiting{channel} */
    family_git_packs,             /* weir_git_packs */
    family_open_descriptors,      /* weir_open_descriptors */
    family_upkeep_runs,           /* weir_git_upkeep_runs_total{result}: ok, failed */
    family_target_behind, /* weir_target_behind{target}: 1 while what is acknowledged is not what is
                             served */
    family_fleet_failures,      /* weir_fleet_failures_total */
    family_fleet_owing,         /* weir_fleet_owing: 1 while targets wait for a worker */
    family_target_last_success, /* weir_target_last_success_timestamp_seconds{target} */
    family_overrides_open,      /* weir_overrides_open: served, and not yet in Git */
    family_overrides_opened,    /* weir_overrides_opened_total{result}: served, failed */
    family_records,    /* weir_records_total{outcome}: accepted, moved, unknown, refused, failed */
    family_state_age,  /* weir_state_age_seconds: of an edge */
    family_edge_polls, /* weir_edge_polls_total{result}: changed, unchanged, older, failed */
    family_measurements,    /* weir_measurements_total{source,verdict} */
    family_metrics_watched, /* weir_metrics_watched: metrics of rollouts that are measured */
    family_metrics_store,   /* weir_metrics_store_failures_total */
    family_metrics_lost,    /* weir_measurements_lost_total: that the store was not given */
    family_loop_iterations, /* weir_loop_iterations_total{loop} */
    family_loop_last;       /* weir_loop_last_iteration_timestamp_seconds{loop} */

#endif
