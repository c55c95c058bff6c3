/**
 * The common part of the programs `standalone` and `nsq standalone`: nsqlookupd, nsqd and nsqadmin in one process, for
 * development.
 */
import { Effect, Layer, Result } from "effect"
import { mkdirSync } from "node:fs"
import process from "node:process"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import * as GoFlags from "../services/options/GoFlags.ts"
import * as OptionTable from "../services/options/OptionTable.ts"
import { type Addresses, Standalone } from "../services/standalone/Standalone.ts"
import * as StandaloneOptions from "../services/standalone/StandaloneOptions.ts"
import * as Main from "./main.ts"

const printAddresses = (addresses: Addresses): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stdout.write(
      `nsqd        tcp 127.0.0.1:${addresses.nsqdTcpPort}  http http://127.0.0.1:${addresses.nsqdHttpPort}\n` +
        `nsqlookupd  tcp 127.0.0.1:${addresses.lookupdTcpPort}  http http://127.0.0.1:${addresses.lookupdHttpPort}\n` +
        `nsqadmin    http://127.0.0.1:${addresses.adminHttpPort}\n`
    )
  })

/** Runs until SIGINT, SIGTERM or a failure. */
export const run = (args: ReadonlyArray<string>): void => {
  const flags = OptionTable.flags(StandaloneOptions.table)
  const usage = () => GoFlags.usage("standalone", flags)
  const parsed = Main.commandOrExit(GoFlags.parse(flags, args), usage)
  const assigned = Main.commandOrExit(
    Result.mapError(
      OptionTable.assign(StandaloneOptions.table, parsed),
      ({ reason }) => new GoFlags.FatalValue({ message: reason })
    ),
    usage
  )
  const options = { ...StandaloneOptions.defaults(), ...assigned.given }
  mkdirSync(options.dataPath, { recursive: true })
  const { dataPath, httpAddress, httpAllowedHosts, logLevel: level, tcpAddress } = options
  const standalone = Standalone.layer({
    nsqd: { dataPath, tcpAddress, httpAddress, httpAllowedHosts },
    nsqlookupd: {
      tcpAddress: options.lookupdTcpAddress,
      httpAddress: options.lookupdHttpAddress,
      httpAllowedHosts
    },
    nsqadmin: { httpAddress: options.adminHttpAddress, httpAllowedHosts }
  })
  Main.runDaemon({
    layer: Layer.effectDiscard(Standalone.use(({ addresses }) => printAddresses(addresses))).pipe(
      Layer.provideMerge(standalone),
      Layer.provideMerge(NsqLogger.layer({ format: "nsq", level, prefix: "[standalone] " }))
    ),
    fatalLogs: NsqLogger.layer({ format: "nsq", level: "fatal", prefix: "[standalone] " }),
    reload: Standalone.use(({ reload }) => reload),
    failed: Standalone.use(({ failed }) => failed)
  })
}
