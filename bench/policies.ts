/**
 * The rows of policies: the same load without and with them, on `memory` topics and on `written` ones. The load without them runs for half
 * of the time before the other one, and for half of it afterwards, so that other work of the machine affects both alike.
 */
import { withDaemonIn, withDirectory } from "./daemon.ts"
import * as Load from "./load.ts"
import {
  backlogMax,
  bodyBytes,
  byMpub,
  graceSeconds,
  memQueue,
  type Publishing,
  rate,
  topic,
  warmUpSeconds
} from "./loads.ts"
import type { Row } from "./row.ts"

/** No message reaches a limit. */
const policies = ["--policy=*:max_attempts=5,ttl=1h,dedup_window=10m"]

const durabilities = {
  memory: memQueue(1_000_000),
  written: ["--durability=written"]
}
type Durability = keyof typeof durabilities

/** Returns delivered messages per second, with publishers and consumers at once. */
const publishAndConsume = (
  command: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  publishing: Publishing,
  seconds: number
): Promise<number> =>
  withDirectory((directory) =>
    withDaemonIn(directory, command, flags, async (daemon) => {
      await daemon.createChannels(topic, 1)
      const common = { port: daemon.tcpPort, topic, channels: 1, warmUpSeconds, seconds }
      const [delivered] = await Load.run(
        seconds + graceSeconds,
        ["subscriber", { ...common, connectionsPerChannel: 2, reports: true }],
        ["publisher", { ...common, connections: 2, bodyBytes, backlog: backlogMax, ...publishing }]
      )
      return rate(delivered)
    })
  )

/** A load, and the flags of its daemon. */
interface Side {
  readonly publishing: Publishing
  readonly flags: ReadonlyArray<string>
}

/** The rate of `measured`, and its ratio to that of `other`. */
const ratioRow = (
  name: string,
  measure: string,
  durability: Durability,
  measured: Side,
  other: Side,
  than: string
): Row => ({
  name: `policies-${name}`,
  group: "policies",
  measures: [
    { name: `${durability}, ${measure}`, unit: "msg/s", better: "higher" },
    { name: `${durability}, ${measure} / ${than}`, unit: "x", better: "higher" }
  ],
  run: async (command, seconds) => {
    const run = ({ flags, publishing }: Side, seconds: number): Promise<number> =>
      publishAndConsume(command, [...durabilities[durability], ...flags], publishing, seconds)
    const before = await run(other, seconds / 2)
    const found = await run(measured, seconds)
    const after = await run(other, seconds / 2)
    return [found, 2 * found / (before + after)]
  }
})

/** HPUB with one header, whose value is another one in each message. */
const withHeader = (header: string): Publishing => ({ batch: 1, window: 500, header })

/** By MPUB, so that what policies cost per message has the largest share. */
const mpubRow = (durability: Durability): Row =>
  ratioRow(
    durability,
    "MPUB and SUB with policies, delivered",
    durability,
    { publishing: byMpub, flags: policies },
    { publishing: byMpub, flags: [] },
    "without policies"
  )

const keyRow = (durability: Durability): Row =>
  ratioRow(
    `${durability}-keys`,
    "HPUB with keys and SUB with policies, delivered",
    durability,
    { publishing: withHeader("nsq-dedup-key"), flags: policies },
    { publishing: withHeader("x-bench-header"), flags: [] },
    "another header, without policies"
  )

export const policyRows: ReadonlyArray<Row> = [
  mpubRow("memory"),
  mpubRow("written"),
  keyRow("memory"),
  keyRow("written")
]
