/** Graphite's addresses of what nsqd pushes by way of statsd (section 4 of the nsqadmin notes), as NSQ's pages make them. Pure. */
import type { WebSettings } from "../../protocol/admin/WebSettings.ts"

type Graphite = WebSettings["graphite"]

const counters = new Set(["requeue_count", "timeout_count", "message_count", "gc_runs"])

const isCounter = (metric: string): boolean => counters.has(metric)

/** `host:port` or `*` in a key. */
const nodePart = (node: string): string => node.replace(/[.:]/g, "_")

const clean = (key: string): string => key.replaceAll(" ", "_").replaceAll("/", "-").replace(/[^a-zA-Z0-9\-_.*]/g, "")

const fill = (format: string, key: string): string => format === "" ? key : format.replace("%s", () => key)

const prefixOf = (graphite: Graphite, node: string): string => {
  const prefix = graphite.prefix.replace("%s", () => nodePart(node))
  return prefix === "" || prefix.endsWith(".") ? prefix : `${prefix}.`
}

const wrap = (graphite: Graphite, metric: string, key: string): string =>
  fill(isCounter(metric) ? graphite.counterFormat : graphite.gaugeFormat, key)

const summarize = (graphite: Graphite, target: string): string => `summarize(${target},"${graphite.interval}sec","avg")`

/** A metric of a topic or a channel, summed over the nodes that match. */
export const queueTarget = (
  graphite: Graphite,
  metric: string,
  { channel, node = "*", topic }: { readonly topic: string; readonly channel?: string; readonly node?: string }
): string => {
  const name = channel === undefined ? `topic.${topic}` : `topic.${topic}.channel.${channel}`
  const key = `${prefixOf(graphite, node)}${clean(`${name}.${metric}`)}`
  return summarize(graphite, `sumSeries(${wrap(graphite, metric, key)})`)
}

/** A metric of an nsqd's process. */
export const memoryTarget = (graphite: Graphite, metric: string, node: string): string =>
  summarize(graphite, wrap(graphite, metric, `${prefixOf(graphite, node)}mem.${metric}`))

const red = new Set(["depth", "deferred_count"])

export const colorOf = (metric: string): string =>
  red.has(metric) ? "red" : isCounter(metric) && metric !== "gc_runs" ? "green" : "blue"

/** The address of a picture of these targets over a time such as `2h`. */
export const pictureUrl = (
  graphite: Graphite,
  basePath: string,
  targets: ReadonlyArray<string>,
  colors: string,
  timeframe: string,
  [width, height]: readonly [number, number]
): string => {
  const query = new URLSearchParams({
    from: `-${timeframe}`,
    until: "-1min",
    width: String(width),
    height: String(height),
    bgcolor: "ff000000",
    fgcolor: "black",
    margin: "0",
    lineWidth: "1",
    yMin: "0",
    lineMode: "connected",
    drawNullAsZero: "false",
    hideLegend: targets.length > 1 ? "false" : "true",
    colorList: colors
  })
  for (const target of targets) query.append("target", target)
  return `${graphite.url === "" ? basePath : graphite.url}/render?${query}`
}
