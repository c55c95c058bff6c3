/** The checks of this machine: the disk of a data directory, the files in it, file descriptors, and ports. */
import { Clock, Context, Effect } from "effect"
import { readFile } from "node:fs/promises"
import { NsqdApi, NsqlookupdApi } from "../../admin/index.ts"
import { joinAddress, splitAddress, Transport } from "../../net/Transport.ts"
import * as DataCommands from "../../nsqd/data/DataCommands.ts"
import type { DataError } from "../../nsqd/data/DataError.ts"
import { Disk } from "../../nsqd/disk/Disk.ts"
import type { DaemonFile } from "./DaemonFile.ts"
import type { Finding } from "./Finding.ts"

const directory = (dataPath: string): string => `data directory ${dataPath}`

const unusable = (dataPath: string, { message: cause }: { readonly message: string }): ReadonlyArray<Finding> => [{
  severity: "error",
  check: "unusable-data-directory",
  subject: directory(dataPath),
  cause,
  remedy: "create the directory, or give its owner the right to write to it"
}]

const minFreePercent = 10

const mebibytes = (bytes: number): number => Math.floor(bytes / 1_048_576)

/** A file system with less than 10 % of free space, or with less than durable topics need, `minFreeBytes`; 0 for no such limit. */
export const fullDisk = Effect.fnUntraced(function*(dataPath: string, minFreeBytes: number) {
  const { space } = yield* Disk
  return yield* Effect.match(space(dataPath), {
    onSuccess: ({ free, total }): ReadonlyArray<Finding> => {
      const percent = total === 0 ? 100 : Math.floor(free / total * 100)
      if (free < minFreeBytes) {
        return [{
          severity: percent === 0 ? "error" : "warning",
          check: "full-disk",
          subject: directory(dataPath),
          cause: `${mebibytes(free)} MiB of its file system are free, less than --min-free-bytes (${
            mebibytes(minFreeBytes)
          } MiB)`,
          remedy:
            "free space, enlarge the file system, or lower --min-free-bytes; durable topics refuse messages until then"
        }]
      }
      return percent >= minFreePercent ? [] : [{
        severity: percent === 0 ? "error" : "warning",
        check: "full-disk",
        subject: directory(dataPath),
        cause: `${percent} % of its file system is free (${mebibytes(free)} MiB)`,
        remedy: "free space or enlarge the file system; nsqd refuses messages when it is full (--min-free-bytes)"
      }]
    },
    onFailure: (error) => unusable(dataPath, error)
  })
})

const probes = 9
const probeSize = 4096
const maxSyncMillis = 20

/** A disk that takes more than 20 ms (the median of 9) for a write of 4 KiB and a sync. Writes a file and removes it. */
export const slowDisk = Effect.fnUntraced(function*(dataPath: string) {
  const disk = yield* Disk
  const path = `${dataPath}/nsq-doctor.tmp`
  const measured = Effect.scoped(Effect.gen(function*() {
    yield* Effect.addFinalizer(() => Effect.ignore(disk.remove(path)))
    const file = yield* Effect.acquireRelease(disk.create(path), ({ close }) => close)
    const times: Array<number> = []
    for (let i = 0; i < probes; i++) {
      const before = yield* Clock.currentTimeMillis
      yield* file.write([Buffer.alloc(probeSize)], i * probeSize)
      yield* file.sync
      times.push((yield* Clock.currentTimeMillis) - before)
    }
    return times.toSorted((a, b) => a - b)[Math.floor(probes / 2)] ?? 0
  }))
  return yield* Effect.match(measured, {
    onSuccess: (millis): ReadonlyArray<Finding> =>
      millis <= maxSyncMillis ? [] : [{
        severity: "warning",
        check: "slow-disk",
        subject: directory(dataPath),
        cause: `a write of 4 KiB with a sync takes ${millis} ms`,
        remedy: "use a local SSD; with --durability=synced every commit waits for the disk"
      }],
    onFailure: (error) => unusable(dataPath, error)
  })
})

/** Whether a running nsqd has the directory. */
const isInUse = ({ reason }: DataError): boolean =>
  reason._tag === "NoDirectory" && reason.error.reason._tag === "LockFailure" && reason.error.reason.isInUse

/** Damaged files, as `nsq data verify` finds them. A directory that a running nsqd has locked is not read. */
export const damagedData = Effect.fnUntraced(function*(dataPath: string, maxMsgSize: number) {
  return yield* Effect.match(DataCommands.verify({ dataPath, maxMsgSize }), {
    onSuccess: ({ damages }) =>
      damages.map(({ description, file, messagesLost, position }): Finding => ({
        severity: "error",
        check: "damaged-data",
        subject: file,
        cause: `at ${position}: ${description}; messages lost: ${messagesLost}`,
        remedy: "check the disk, and restore a backup, or start nsqd, which leaves the damaged part out"
      })),
    onFailure: (error) => isInUse(error) ? [] : unusable(dataPath, error)
  })
})

/** Returns the soft limit of open files of this process; `undefined` if it is unknown. Default: as Linux reports it. */
export const DescriptorLimit: Context.Reference<Effect.Effect<number | undefined>> = Context.Reference(
  "effect-nsq/cli/DescriptorLimit",
  {
    defaultValue: () =>
      Effect.tryPromise(() => readFile("/proc/self/limits", "utf8")).pipe(
        Effect.map((limits) => {
          const soft = /^Max open files +(\d+)/m.exec(limits)?.[1]
          return soft === undefined ? undefined : Number(soft)
        }),
        Effect.orElseSucceed(() => undefined)
      )
  }
)

/** A limit of open files below the connections that the options allow, plus a quarter for queue files. */
export const lowDescriptorLimit = Effect.fnUntraced(function*({ daemon, file, maxConnections }: DaemonFile) {
  const limit = yield* yield* DescriptorLimit
  if (maxConnections === undefined || limit === undefined) return []
  const needed = Math.ceil(maxConnections / 3 * 4)
  if (limit >= needed) return []
  const finding: Finding = {
    severity: "warning",
    check: "low-descriptor-limit",
    subject: `${daemon} ${file}`,
    cause:
      `the limit of open files is ${limit}, and the options allow ${maxConnections} connections, which need ${needed} with queue files`,
    remedy:
      `raise the limit (LimitNOFILE of systemd, or ulimit -n ${needed}), or lower max_connections and max_http_connections`
  }
  return [finding]
})

/** Whether the daemon of the file already runs, so that it is the process that has the ports. */
const isRunning = Effect.fnUntraced(function*({ daemon, listeners }: DaemonFile) {
  const http = splitAddress(listeners.find(({ name }) => name === "HTTP")?.address ?? "")
  if (http === undefined || http.port === 0) return false
  const address = joinAddress(["", "0.0.0.0", "::"].includes(http.host) ? "127.0.0.1" : http.host, http.port)
  const options = { timeout: "2 seconds" } as const
  const response = daemon === "nsqd"
    ? Effect.asVoid((yield* NsqdApi.make(address, options)).info)
    : (yield* NsqlookupdApi.make(address, options)).ping
  return yield* Effect.match(response, { onSuccess: () => true, onFailure: () => false })
})

/** Ports of a config file that cannot be listened on, unless the daemon itself runs. */
export const unavailablePorts = Effect.fnUntraced(function*(daemonFile: DaemonFile) {
  const { daemon, file, listeners } = daemonFile
  const { listen } = yield* Transport
  // A path is left alone: listening would create or replace the socket.
  const withPort = listeners.filter(({ address }) => splitAddress(address) !== undefined)
  const failures = yield* Effect.forEach(
    withPort,
    ({ address }) =>
      Effect.match(Effect.scoped(listen(address, () => Effect.void)), {
        onSuccess: (): ReadonlyArray<string> => [],
        onFailure: ({ message }) => [message]
      })
  )
  const causes = failures.flat()
  if (causes.length === 0 || (yield* isRunning(daemonFile))) return []
  return causes.map((cause): Finding => ({
    severity: "error",
    check: "unavailable-port",
    subject: `${daemon} ${file}`,
    cause,
    remedy: "stop the process that has the port (ss -ltnp lists it), or set another address"
  }))
})
