/** The figures of an nsqd's process and machine in words. Pure. */
import type { LiveNode } from "../../protocol/http/admin/AdminLive.ts"
import type { NodeDelay, NodeDrain, NodeStatus } from "../../protocol/http/NodeResponse.ts"
import * as Format from "./format.ts"

/** A figure: its value, more about it, and its share of a limit between 0 and 1, if it has one. */
export interface Figure {
  readonly name: string
  readonly value: string
  readonly more: string
  readonly share?: number
}

/** Formats microseconds: `3.2 ms`, `1.5 s`. */
export const micros = (value: number): string => Format.nanoseconds(value * 1000)

/** Formats the delay that 99 % of what was due had at most; `–` before the first interval. */
export const delay = (measured: NodeDelay | null): string => measured === null ? "–" : micros(measured.p99_usec)

/** Formats the free part of the disk of the data directory; `–` without one. */
export const diskFree = ({ disk }: NodeStatus): string =>
  disk === null ? "–" : `${Format.bytes(disk.free_bytes)} (${Format.percent(disk.free_bytes, disk.total_bytes)})`

/** Formats the file descriptors in use and their limit; `–` if they are unknown. */
export const files = ({ file_descriptors: known }: NodeStatus): string =>
  known === null ? "–" : `${Format.count(known.open)} of ${Format.count(known.limit)}`

const share = (part: number, whole: number): { readonly share?: number } =>
  whole > 0 ? { share: Math.min(1, Math.max(0, part / whole)) } : {}

/** Returns what an nsqd has in all of its topics and channels. */
export const ofNode = (
  { client_count, message_count, topic_count }: Pick<LiveNode, "client_count" | "message_count" | "topic_count">
): ReadonlyArray<Figure> => [
  { name: "Topics", value: Format.count(topic_count), more: "on this node" },
  { name: "Messages", value: Format.count(message_count), more: "received since its start" },
  { name: "Consumers", value: Format.count(client_count), more: "subscribed to its channels" }
]

/** Returns the figures of a process and its machine, at the time `now`. */
export const ofStatus = (status: NodeStatus, now: number): ReadonlyArray<Figure> => {
  const { disk, event_loop_delay: delayed, file_descriptors: descriptors, memory } = status
  const taken = memory.total_bytes - memory.available_bytes
  return [
    {
      name: "Process memory",
      value: Format.bytes(memory.rss_bytes),
      more: `${Format.bytes(memory.external_bytes)} of it in buffers, which hold messages`
    },
    {
      name: "Heap",
      value: Format.bytes(memory.heap_used_bytes),
      more: `of at most ${Format.bytes(memory.heap_limit_bytes)}`,
      ...share(memory.heap_used_bytes, memory.heap_limit_bytes)
    },
    {
      name: "Machine memory",
      value: `${Format.bytes(memory.available_bytes)} left`,
      more: `of ${Format.bytes(memory.total_bytes)}`,
      ...share(taken, memory.total_bytes)
    },
    {
      name: "Disk",
      value: disk === null ? "–" : `${Format.bytes(disk.free_bytes)} free`,
      more: disk === null
        ? "no data directory"
        : `${Format.bytes(disk.used_bytes)} of ${Format.bytes(disk.total_bytes)} used`,
      ...(disk === null ? {} : share(disk.used_bytes, disk.total_bytes))
    },
    {
      name: "File descriptors",
      value: descriptors === null ? "–" : Format.count(descriptors.open),
      more: descriptors === null ? "unknown on this system" : `of at most ${Format.count(descriptors.limit)}`,
      ...(descriptors === null ? {} : share(descriptors.open, descriptors.limit))
    },
    {
      name: "Event loop delay",
      value: delayed === null ? "–" : `${micros(delayed.p99_usec)} p99`,
      more: delayed === null
        ? "measured from now on"
        : `p50 ${micros(delayed.p50_usec)}, max ${micros(delayed.max_usec)}, in ${delayed.seconds} s`
    },
    { name: "Connections", value: Format.count(status.connection_count), more: "producers and consumers" },
    {
      name: "Running for",
      value: Format.span(now - status.start_time * 1000),
      more: `since ${Format.beginning(status.start_time * 1000, now)}`
    },
    {
      name: "Version",
      value: status.effect_nsq_version,
      more: `of effect-nsq; as NSQ ${status.version}, on Node.js ${status.node_version}`
    }
  ]
}

/** Messages that a drain leaves: `12 messages left: 10 waiting, 2 in flight`. Deferred ones are named, too. */
export const drainLeft = ({ deferred_count, depth, drained, in_flight_count }: NodeDrain): string => {
  const parts = `${Format.count(depth)} waiting, ${Format.count(in_flight_count)} in flight, ${
    Format.count(deferred_count)
  } deferred`
  const left = depth + in_flight_count + deferred_count
  if (!drained) return `${Format.quantity(left, "message")} left: ${parts}`
  return deferred_count === 0
    ? "all topics are empty"
    : `${Format.quantity(deferred_count, "deferred message")} left, due later than in a minute`
}

/** Whether an nsqd drains, and has no messages left to wait for. */
export const drainOf = ({ status }: Pick<LiveNode, "status">): NodeDrain | undefined => status?.drain ?? undefined
