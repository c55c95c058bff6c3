/**
 * The root command of `nsq` with the flags of every command: which cluster, and in which form results are printed.
 */
import { Command, Flag } from "effect/cli"
import { splitAddress } from "../net/Transport.ts"

/** Whether it is `<host>:<port>` or the path of a socket. Without a port it would be a socket in the working directory. */
const isAddress = (text: string): boolean => splitAddress(text) !== undefined || text.includes("/")

/** A URL is an address of HTTP, too. */
const addresses = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withDescription(description),
    Flag.withMetavar("host:port"),
    Flag.filter(isAddress, () => "<host>:<port>"),
    Flag.atLeast(0)
  )

/** The command `nsq`. Its input is available in every command: `const { json } = yield* root`. */
export const root = Command.make("nsq").pipe(
  Command.withSharedFlags({
    context: Flag.String("context").pipe(
      Flag.withAlias("c"),
      Flag.withDescription("Named cluster of the contexts file"),
      Flag.optional
    ),
    nsqd: addresses("nsqd-http-address", "HTTP address of an nsqd; repeatable"),
    nsqdTcp: addresses("nsqd-tcp-address", "TCP address of an nsqd, to publish and to consume; repeatable"),
    lookupd: addresses("lookupd-http-address", "HTTP address of an nsqlookupd; repeatable"),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print JSON in place of tables"),
      Flag.withDefault(false)
    )
  }),
  Command.withDescription(
    "Works with NSQ clusters: publish, consume, inspect, administer, run.\n" +
      "  nsq nsqd, nsq nsqlookupd, nsq nsqadmin and so on are the programs of these names, with their flags: nsq nsqd --help"
  )
)
