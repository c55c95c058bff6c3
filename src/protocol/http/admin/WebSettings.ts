/**
 * The settings of nsqadmin's page, which the server writes as JSON into `<meta name="settings">`. NSQ's page has them in an
 * inline script.
 */
import { Schema } from "effect"

/** The settings of the page. */
export const WebSettings = Schema.Struct({
  version: Schema.String,
  /** Path of pages and API: empty, or `/` and a path without a trailing slash. */
  basePath: Schema.String,
  /** The name of the shown cluster; empty if there is one only. */
  cluster: Schema.String,
  /** All clusters, each with its path like `basePath`; empty if there is one only. */
  clusters: Schema.Array(Schema.Struct({ name: Schema.String, basePath: Schema.String })),
  isAdmin: Schema.Boolean,
  /** HTTP addresses; empty if nsqadmin queries the nsqds directly. */
  nsqlookupd: Schema.Array(Schema.String),
  /** Milliseconds between two samples of the cluster. */
  sampleInterval: Schema.Finite,
  /** The webhooks that receive alerts, without secrets. */
  alertWebhooks: Schema.Array(Schema.String),
  /** The longest time before now that charts show, in milliseconds. */
  historySpan: Schema.Finite,
  graphite: Schema.Struct({
    enabled: Schema.Boolean,
    /** Graphite's URL; empty if nsqadmin proxies `/render`. */
    url: Schema.String,
    counterFormat: Schema.String,
    gaugeFormat: Schema.String,
    /** nsqd's `--statsd-interval` in seconds. */
    interval: Schema.Finite,
    prefix: Schema.String
  })
})
export type WebSettings = typeof WebSettings.Type
