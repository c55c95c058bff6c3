/**
 * What the page is told when it is loaded, as JSON in `<meta name="settings">`: NSQ's page has the same in an inline script.
 */
import { Schema } from "effect"

export const WebSettings = Schema.Struct({
  version: Schema.String,
  /** Where the pages and the API begin: empty, or `/` and a path without a slash at its end. */
  basePath: Schema.String,
  isAdmin: Schema.Boolean,
  /** HTTP addresses; empty when nsqadmin asks the nsqds themselves. */
  nsqlookupd: Schema.Array(Schema.String),
  /** Milliseconds between two samples of the cluster. */
  sampleInterval: Schema.Finite,
  graphite: Schema.Struct({
    enabled: Schema.Boolean,
    /** Empty when nsqadmin passes `/render` on. */
    url: Schema.String,
    counterFormat: Schema.String,
    gaugeFormat: Schema.String,
    /** Seconds. */
    interval: Schema.Finite,
    prefix: Schema.String
  })
})
export type WebSettings = typeof WebSettings.Type
