/** `nsq doctor`: finds misconfigurations of a cluster, of config files and of a data directory (docs/cli.md#doctor). */
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { defaults } from "../nsqd/options/NsqdOptions.ts"
import { CliError, CliErrorReason } from "./CliError.ts"
import * as DaemonFile from "./doctor/DaemonFile.ts"
import * as Finding from "./doctor/Finding.ts"
import * as listeners from "./doctor/listeners.ts"
import * as machine from "./doctor/machine.ts"
import * as nodes from "./doctor/nodes.ts"
import { observe } from "./doctor/Observation.ts"
import * as topics from "./doctor/topics.ts"
import { root } from "./root.ts"
import { target } from "./Target.ts"

const clusterChecks = [
  nodes.unreachableLookupds,
  nodes.unreachableNsqds,
  nodes.unresolvableAddresses,
  nodes.deadEntries,
  nodes.unreachableAddresses,
  nodes.loopbackAddresses,
  nodes.unhealthyNsqds,
  nodes.missingRegistrations,
  nodes.clockSkew,
  nodes.versionMix,
  topics.topicsWithoutChannels,
  topics.channelsWithoutConsumers,
  listeners.insecureListeners
]

const checkCluster = Effect.gen(function*() {
  const { lookupds, nsqds } = yield* target
  // With an unreachable nsqlookupd, the nsqds that the others have are checked.
  const given = lookupds.length === 0 ? yield* nsqds : yield* Effect.orElseSucceed(nsqds, () => [])
  const observation = yield* observe(lookupds, given.map(({ address }) => address))
  return [
    ...clusterChecks.flatMap((check) => check(observation)),
    ...yield* listeners.expiringCertificates(observation)
  ]
})

const checkFile = Effect.fnUntraced(function*(given: string) {
  const file = yield* DaemonFile.read(given)
  return [
    ...file.findings,
    ...listeners.insecureListenersOfFile(file),
    ...yield* listeners.expiringCertificatesOfFile(file),
    ...yield* machine.lowDescriptorLimit(file),
    ...yield* machine.unavailablePorts(file)
  ]
})

const checkDirectory = Effect.fnUntraced(function*(dataPath: string) {
  const { minFreeBytes } = defaults()
  const space = yield* machine.fullDisk(dataPath, minFreeBytes)
  // The other checks would report again that there is no such directory.
  if (space.some(({ check }) => check === "unusable-data-directory")) return space
  return [
    ...space,
    ...yield* machine.slowDisk(dataPath),
    ...yield* machine.damagedData(dataPath, defaults().maxMsgSize)
  ]
})

const plural = (count: number): string => `${count} finding${count === 1 ? "" : "s"}`

/** The command `nsq doctor`. */
export const doctor = Command.make(
  "doctor",
  {
    dataPath: Flag.String("data-path").pipe(
      Flag.withDescription("Data directory of an nsqd on this machine, whose disk and files are checked"),
      Flag.optional
    ),
    config: Flag.String("config").pipe(
      Flag.withDescription("Config file of a daemon on this machine: a path, or <daemon>=<path>; repeatable"),
      Flag.withMetavar("file"),
      Flag.atLeast(0)
    ),
    skip: Flag.Literals("skip", Finding.checks).pipe(
      Flag.withDescription("Name of a check whose findings are left out; repeatable"),
      Flag.withMetavar("check"),
      Flag.atLeast(0)
    )
  },
  Effect.fnUntraced(function*({ config, dataPath, skip }) {
    const flags = yield* root
    const directories = Option.toArray(dataPath)
    const isOfCluster = flags.nsqd.length + flags.lookupd.length > 0 || Option.isSome(flags.context) ||
      config.length + directories.length === 0
    const found = [
      ...isOfCluster ? yield* checkCluster : [],
      ...(yield* Effect.forEach(config, checkFile)).flat(),
      ...(yield* Effect.forEach(directories, checkDirectory)).flat()
    ]
    const findings = Finding.sorted(found.filter(({ check }) => !skip.includes(check)))
    if (flags.json) yield* Console.log(JSON.stringify(findings, undefined, 2))
    else yield* Console.log(findings.length === 0 ? "no findings" : Finding.toText(findings))
    if (findings.length > 0) {
      return yield* new CliError({ reason: CliErrorReason.Findings({ description: plural(findings.length) }) })
    }
  })
).pipe(
  Command.withDescription("Find misconfigurations of a cluster, of config files and of a data directory"),
  Command.withExamples([
    { command: "nsq doctor --lookupd-http-address lookup-1:4161", description: "A cluster" },
    {
      command: "nsq doctor --config /etc/nsq/nsqd.cfg --data-path /var/lib/nsq",
      description: "The machine of an nsqd, before it starts"
    }
  ])
)
