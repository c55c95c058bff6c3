/**
 * URLs of Graphite's pictures for the metrics that nsqd pushes to statsd, as on NSQ's pages (docs/protocol/http.md#graphite).
 * Pure.
 */
import type { ProcessingLatency } from "../../protocol/http/admin/AdminStats.ts"
import type { WebSettings } from "../../protocol/http/admin/WebSettings.ts"

type Graphite = WebSettings["graphite"]

/** The subject of a picture. A node is `host:port`, or `*` for all. */
export type Subject =
  | { readonly _tag: "Topic"; readonly topic: string; readonly node: string }
  | { readonly _tag: "Channel"; readonly topic: string; readonly channel: string; readonly node: string }
  | { readonly _tag: "Latency"; readonly latency: ProcessingLatency; readonly node: string }
  /** The process of an nsqd. */
  | { readonly _tag: "Process"; readonly node: string }
  /** All channels of all nsqds. */
  | { readonly _tag: "Everything" }

const counters = new Set(["requeue_count", "timeout_count", "message_count", "gc_runs"])
const gauges = new Set([
  "depth",
  "in_flight_count",
  "deferred_count",
  "clients",
  "*_bytes",
  "gc_pause_*",
  "heap_objects",
  "e2e_processing_latency"
])

/** Replaces the characters of a name that statsd replaces. */
const clean = (name: string): string => name.replaceAll(" ", "_").replaceAll("/", "-").replace(/[^a-zA-Z0-9\-_.]/g, "")

const prefixOf = ({ prefix }: Graphite, node: string): string => {
  const expanded = prefix.replaceAll("%s", () => node.replace(/[.:]/g, "_"))
  return expanded.endsWith(".") ? expanded : `${expanded}.`
}

const wrap = ({ counterFormat, gaugeFormat }: Graphite, metric: string, key: string): string => {
  if (counters.has(metric)) return counterFormat.replaceAll("%s", () => key)
  return gauges.has(metric) ? gaugeFormat.replaceAll("%s", () => key) : key
}

const percentOf = (quantile: number): number => Number((quantile * 100).toFixed(4))

/** Returns the series of a metric, before they are summarized. */
export const targets = (graphite: Graphite, metric: string, subject: Subject): ReadonlyArray<string> => {
  const prefix = prefixOf(graphite, subject._tag === "Everything" ? "*" : subject.node)
  switch (subject._tag) {
    case "Topic":
      return [`sumSeries(${wrap(graphite, metric, `${prefix}topic.${clean(subject.topic)}.${metric}`)})`]
    case "Channel": {
      const name = `topic.${clean(subject.topic)}.channel.${clean(subject.channel)}`
      return [`sumSeries(${wrap(graphite, metric, `${prefix}${name}.${metric}`)})`]
    }
    case "Everything":
      return [`sumSeries(${wrap(graphite, metric, `${prefix}topic.*.channel.*.${metric}`)})`]
    case "Process": {
      const key = `${prefix}mem.${metric}`
      return [wrap(graphite, metric, metric === "gc_runs" ? `movingAverage(${key},45)` : key)]
    }
    case "Latency": {
      const { channel, percentiles, topic } = subject.latency
      const name = channel === "" ? `topic.${topic}` : `topic.${topic}.channel.${channel}`
      return (percentiles ?? []).map(({ quantile }) => {
        const key = `${prefix}${name}.${metric}_${percentOf(quantile)}`
        // Converts nanoseconds to milliseconds.
        return `scale(${wrap(graphite, metric, subject.node === "*" ? `averageSeries(${key})` : key)},0.000001)`
      })
    }
  }
}

const colorsOf = (metric: string, subject: Subject): string => {
  switch (subject._tag) {
    case "Process":
      return "red,green,blue,purple"
    case "Everything":
      return "green"
    case "Latency":
      return "blue"
    default:
      return metric === "depth" || metric === "deferred_count" ? "red" : "blue"
  }
}

const small = {
  height: "20",
  width: "120",
  hideGrid: "true",
  hideLegend: "true",
  hideAxes: "true",
  fgcolor: "black",
  margin: "0"
}
const large = { height: "450", width: "800", fgcolor: "999999" }

/** Returns the URL of a picture over a timeframe such as `2h`. Large pictures show counters per second. */
export const pictureUrl = (
  graphite: Graphite,
  basePath: string,
  metric: string,
  subject: Subject,
  timeframe: string,
  size: "small" | "large"
): string => {
  const query = new URLSearchParams({
    colorList: colorsOf(metric, subject),
    ...(size === "small" ? small : large),
    bgcolor: "ff000000",
    yMin: "0",
    lineMode: "connected",
    drawNullAsZero: "false",
    from: `-${timeframe}`,
    until: "-1min"
  })
  const perSecond = size === "large" && counters.has(metric)
  for (const target of targets(graphite, metric, subject)) {
    const scaled = perSecond ? `scale(${target},${1 / graphite.interval})` : target
    query.append("target", `summarize(${scaled},"${graphite.interval}sec","avg")`)
  }
  return `${graphite.url === "" ? basePath : graphite.url}/render?${query}`
}
