/** The common part of the programs `standalone` and `nsq standalone`: runs the daemons and prints their addresses. */
import { Effect, Layer } from "effect"
import process from "node:process"
import { type Addresses, Standalone } from "../services/standalone/Standalone.ts"
import * as StandaloneOptions from "../services/standalone/StandaloneOptions.ts"
import * as Main from "./main.ts"

const print = ({ adminHttpPort, lookupdHttpPort, lookupdTcpPort, nsqdHttpPort, nsqdTcpPort }: Addresses) =>
  Effect.sync(() => {
    process.stdout.write(
      `nsqd        tcp 127.0.0.1:${nsqdTcpPort}  http http://127.0.0.1:${nsqdHttpPort}\n` +
        `nsqlookupd  tcp 127.0.0.1:${lookupdTcpPort}  http http://127.0.0.1:${lookupdHttpPort}\n` +
        `nsqadmin    http://127.0.0.1:${adminHttpPort}\n`
    )
  })

/** Runs until SIGINT, SIGTERM or a failure. */
export const run = (args: ReadonlyArray<string>): void =>
  Main.run({
    options: StandaloneOptions,
    layer: Layer.effectDiscard(Standalone.use(({ addresses }) => print(addresses))).pipe(
      Layer.provideMerge(Standalone.layerOfProgram)
    ),
    reload: Standalone.use(({ reload }) => reload),
    failed: Standalone.use(({ failed }) => failed)
  }, args)
