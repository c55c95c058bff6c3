/**
 * The states of the daemons of a cluster, and the times of their last changes. nsqlookupd forgets an nsqd when its connection
 * closes, so nsqadmin remembers each nsqd for a time after the last sign of it (`--node-retention`). Pure.
 */
import type { DaemonState } from "../../protocol/http/admin/AdminLive.ts"
import type { FiguresOfNode } from "../cluster/Cluster.ts"
import { type KnownNode, nodeAddress } from "../cluster/KnownNode.ts"
import { maskedAddress } from "../core/Masked.ts"
import type { HttpError } from "../http/HttpError.ts"

/** The result of one sample. */
export interface Observation {
  /** Unix milliseconds. */
  readonly at: number
  /** The first request to daemons that were not known before, in Unix milliseconds. */
  readonly began: number
  /** Monotonic milliseconds. */
  readonly monotonic: number
  /** The queried nsqlookupds. */
  readonly lookupds: ReadonlyArray<string>
  /** The nsqds that nsqlookupds listed, or that are configured and responded. */
  readonly named: ReadonlyArray<KnownNode>
  /** The queried nsqds: `named`, and the remembered ones if an nsqlookupd failed. */
  readonly nodes: ReadonlyArray<KnownNode>
  readonly responses: ReadonlyArray<FiguresOfNode<unknown>>
  readonly failures: ReadonlyArray<HttpError>
  /** Milliseconds for which an nsqd is remembered. */
  readonly retention: number
}

/** An nsqd and the time of the last sign of it, in monotonic milliseconds. */
interface Seen {
  readonly node: KnownNode
  readonly at: number
}

interface Known {
  readonly state: DaemonState
  /** The last successful reply, in Unix milliseconds; undefined if it has never replied. */
  readonly replied: number | undefined
  /** Undefined for an nsqlookupd, and for an nsqd that has never responded. */
  readonly seen: Seen | undefined
}

/** States by kind and address. */
export type DaemonStates = ReadonlyMap<string, Known>

/** The states before the first sample. */
export const none: DaemonStates = new Map()

const healthy = "OK"

const keyOf = ({ address, kind }: Pick<DaemonState, "kind" | "address">): string => `${kind} ${address}`

type NewState = Omit<DaemonState, "since" | "has_replied">

/** Whether a daemon is still healthy, degraded or unreachable. The text of the error does not count. */
const isAsBefore = (before: DaemonState | undefined, now: NewState): before is DaemonState =>
  before !== undefined && before.reachable === now.reachable && (before.error === "") === (now.error === "")

/** Returns the states after an observation. */
export const observe = (before: DaemonStates, observation: Observation): DaemonStates => {
  const { at, began, failures, lookupds, monotonic, named, nodes, responses, retention } = observation
  const states = new Map<string, Known>()
  const failed = new Map(failures.map(({ address, message }) => [address, message]))
  const responseOf = new Map(responses.map((response) => [nodeAddress(response.node), response]))

  const add = (state: NewState, seen: Seen | undefined): void => {
    const known = before.get(keyOf(state))
    const replied = state.reachable ? at : known?.replied
    const since = isAsBefore(known?.state, state) ? known.state.since : replied ?? began
    states.set(keyOf(state), { state: { ...state, has_replied: replied !== undefined, since }, replied, seen })
  }
  const isNamed = new Set(named.map(nodeAddress))

  for (const address of lookupds) {
    const error = failed.get(address) ?? ""
    add({ kind: "nsqlookupd", address, hostname: "", version: "", reachable: error === "", error }, undefined)
    failed.delete(address)
  }
  for (const node of nodes) {
    const address = nodeAddress(node)
    const response = responseOf.get(address)
    const { hostname } = node
    const [version, error] = response === undefined
      ? [node.version, failed.get(address) ?? "no response"]
      : [response.version, response.health === healthy || response.health === "" ? "" : response.health]
    const isThere = response !== undefined || isNamed.has(address)
    const seen = isThere ? { node, at: monotonic } : before.get(keyOf({ kind: "nsqd", address }))?.seen
    add({ kind: "nsqd", address, hostname, version, reachable: response !== undefined, error }, seen)
    failed.delete(address)
  }
  for (const [address, error] of failed) {
    const { hostname, version } = before.get(keyOf({ kind: "nsqd", address }))?.state ?? { hostname: "", version: "" }
    add({ kind: "nsqd", address, hostname, version, reachable: false, error }, undefined)
  }
  for (const [key, { seen, state }] of before) {
    if (states.has(key) || !isRemembered(seen, monotonic, retention) || isReplaced(seen.node, responses)) continue
    const { address, hostname, kind, version } = state
    add({ kind, address, hostname, version, reachable: false, error: "no longer listed in the cluster" }, seen)
  }
  return states
}

const isRemembered = (seen: Seen | undefined, monotonic: number, retention: number): seen is Seen =>
  seen !== undefined && monotonic - seen.at <= retention

/** Whether the same host is there with another address, as after the restart of a container. */
const isReplaced = (gone: KnownNode, responses: ReadonlyArray<FiguresOfNode<unknown>>): boolean =>
  responses.some(({ node }) =>
    node.hostname === gone.hostname && node.http_port === gone.http_port && node.tcp_port === gone.tcp_port &&
    node.broadcast_address !== gone.broadcast_address
  )

/** Returns the nsqds with a sign of life within the last `retention` milliseconds. */
export const remembered = (
  states: DaemonStates,
  monotonic: number,
  retention: number
): ReadonlyArray<KnownNode> =>
  Array.from(states.values()).flatMap(({ seen }) => isRemembered(seen, monotonic, retention) ? [seen.node] : [])

/** The daemons that became unreachable or reachable between two observations. */
export const changed = (before: DaemonStates, after: DaemonStates): ReadonlyArray<DaemonState> =>
  Array.from(after).flatMap(([key, { state }]) => {
    const known = before.get(key)?.state
    return state.reachable === (known?.reachable ?? true) ? [] : [{ ...state, address: maskedAddress(state.address) }]
  })

/** Returns the states for browsers, sorted by kind and address, with credentials masked. */
export const list = (states: DaemonStates): ReadonlyArray<DaemonState> =>
  Array.from(states.values(), ({ state }) => ({ ...state, address: maskedAddress(state.address) }))
    .sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1)
