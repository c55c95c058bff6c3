/**
 * A config file that `nsq doctor` checks: its daemon, its listeners, and the options that other checks read. The daemon reads the
 * file in the same way when it starts.
 */
import { Duration, Effect } from "effect"
import * as NsqadminOptions from "../../nsqadmin/NsqadminOptions.ts"
import * as NsqdOptions from "../../nsqd/options/NsqdOptions.ts"
import * as NsqlookupdOptions from "../../nsqlookupd/NsqlookupdOptions.ts"
import type { Settings } from "../../options/DaemonOptions.ts"
import type { OptionsError } from "../../options/OptionsError.ts"
import type { Finding } from "./Finding.ts"

/** The daemons. */
export type Daemon = "nsqd" | "nsqlookupd" | "nsqadmin"

/** A listener of a config file. */
export interface FileListener {
  readonly name: "TCP" | "HTTP" | "HTTPS"
  /** `host:port`, or the path of a unix socket. */
  readonly address: string
  /** Whether clients must authenticate. */
  readonly isProtected: boolean
}

/** A config file with the values that checks read. */
export interface DaemonFile {
  readonly daemon: Daemon
  readonly file: string
  /** Findings about the options themselves. */
  readonly findings: ReadonlyArray<Finding>
  readonly listeners: ReadonlyArray<FileListener>
  /** Path of the PEM file of the certificate; empty for none. */
  readonly certificate: string
  /** The most connections that the options allow; `undefined` if one of them has no limit. */
  readonly maxConnections: number | undefined
}

const listener = (name: FileListener["name"], address: string, isProtected = false): ReadonlyArray<FileListener> =>
  address === "" ? [] : [{ name, address, isProtected }]

const sumOf = (limits: ReadonlyArray<number>): number | undefined =>
  limits.some((limit) => limit <= 0) ? undefined : limits.reduce((sum, limit) => sum + limit, 0)

/** A contradiction: its cause and remedy. */
type Contradiction = readonly [cause: string, remedy: string]

const nsqdContradictions = (options: NsqdOptions.NsqdOptions): ReadonlyArray<Contradiction> => {
  const { authHttpAddresses, broadcastAddress, maxBodySize, maxMsgSize, maxMsgTimeout, msgTimeout, tlsCert, tlsKey } =
    options
  const found: Array<Contradiction> = []
  if ((tlsCert === "") !== (tlsKey === "")) {
    found.push([
      `${tlsCert === "" ? "tls_key" : "tls_cert"} is set without ${
        tlsCert === "" ? "tls_cert" : "tls_key"
      }, so that there is no TLS`,
      "set both, or neither"
    ])
  }
  if (Duration.isGreaterThan(msgTimeout, maxMsgTimeout)) {
    found.push(["msg_timeout is longer than max_msg_timeout", "raise max_msg_timeout, or lower msg_timeout"])
  }
  if (maxMsgSize > maxBodySize) {
    found.push([
      `max_msg_size (${maxMsgSize}) exceeds max_body_size (${maxBodySize}), so that MPUB refuses messages that PUB accepts`,
      "raise max_body_size above max_msg_size"
    ])
  }
  if (authHttpAddresses.length > 0 && !NsqdOptions.isTlsRequired(options)) {
    found.push([
      "auth_http_addresses is set and TLS is not required, so that clients may send their secrets in clear text",
      "set tls_required with tls_cert and tls_key"
    ])
  }
  if (["0.0.0.0", "::"].includes(broadcastAddress)) {
    found.push([
      `broadcast_address ${broadcastAddress} is not an address that clients can connect to`,
      "set it to the name or the IP address of this machine"
    ])
  }
  return found
}

const registrationInterval = Duration.seconds(15)

const lookupdContradictions = (
  { inactiveProducerTimeout }: NsqlookupdOptions.NsqlookupdOptions
): ReadonlyArray<Contradiction> =>
  Duration.isLessThanOrEqualTo(inactiveProducerTimeout, registrationInterval)
    ? [[
      "inactive_producer_timeout is not above 15 s, the interval at which nsqds report, so that healthy nsqds disappear now and then",
      "raise inactive_producer_timeout; the default is 5m"
    ]]
    : []

/** Listeners with the same address; port 0 is a different port for each. */
const shared = (listeners: ReadonlyArray<FileListener>): ReadonlyArray<Contradiction> =>
  listeners.flatMap(({ address, name }, i) => {
    const other = listeners.slice(0, i).find((former) => former.address === address && !address.endsWith(":0"))
    return other === undefined
      ? []
      : [[`${other.name} and ${name} have the same address ${address}`, "set different ports"]]
  })

type Rest = Omit<DaemonFile, "daemon" | "file" | "findings">

interface Kind<Options> {
  readonly fromCommandLine: (
    args: ReadonlyArray<string>,
    environment: {}
  ) => Effect.Effect<Settings<Options>, OptionsError>
  readonly check: (options: Options) => Effect.Effect<unknown, OptionsError>
  readonly contradictions: (options: Options) => ReadonlyArray<Contradiction>
  readonly rest: (options: Options) => Rest
}

const reader = <Options>(daemon: Daemon, kind: Kind<Options>) =>
  Effect.fnUntraced(function*(file: string): Effect.fn.Return<DaemonFile> {
    const subject = `${daemon} ${file}`
    const invalid = ({ message: cause }: OptionsError): Finding => ({
      severity: "error",
      check: "invalid-options",
      subject,
      cause,
      remedy: `correct the file; ${daemon} does not start with it`
    })
    const none: Rest = { listeners: [], certificate: "", maxConnections: undefined }
    return yield* kind.fromCommandLine([`--config=${file}`], {}).pipe(
      Effect.flatMap(({ options, warnings }) =>
        Effect.map(Effect.result(kind.check(options)), (checked): DaemonFile => {
          const rest = kind.rest(options)
          const findings: ReadonlyArray<Finding> = [
            ...checked._tag === "Failure" ? [invalid(checked.failure)] : [],
            ...[...kind.contradictions(options), ...shared(rest.listeners)].map(([cause, remedy]): Finding => ({
              severity: "warning",
              check: "contradicting-options",
              subject,
              cause,
              remedy
            })),
            ...warnings.map((cause): Finding => ({
              severity: "warning",
              check: "ineffective-options",
              subject,
              cause,
              remedy: "correct or remove the option"
            }))
          ]
          return { daemon, file, findings, ...rest }
        })
      ),
      Effect.catch((error) => Effect.succeed<DaemonFile>({ daemon, file, findings: [invalid(error)], ...none }))
    )
  })

const readers: Readonly<Record<Daemon, (file: string) => Effect.Effect<DaemonFile>>> = {
  nsqd: reader<NsqdOptions.NsqdOptions>("nsqd", {
    fromCommandLine: NsqdOptions.fromCommandLine,
    check: (options) => NsqdOptions.check(options),
    contradictions: nsqdContradictions,
    rest: (options) => {
      const isCertified = options.tlsClientAuthPolicy === "require-verify"
      const hasTls = options.tlsCert !== "" && options.tlsKey !== ""
      return {
        listeners: [
          ...listener("TCP", options.tcpAddress, isCertified || options.authHttpAddresses.length > 0),
          ...listener("HTTP", options.httpAddress, isCertified && NsqdOptions.isPlainHttpRefused(options)),
          ...listener("HTTPS", hasTls ? options.httpsAddress : "", isCertified)
        ],
        certificate: options.tlsCert,
        maxConnections: sumOf([options.maxConnections, options.maxHttpConnections])
      }
    }
  }),
  nsqlookupd: reader<NsqlookupdOptions.NsqlookupdOptions>("nsqlookupd", {
    fromCommandLine: NsqlookupdOptions.fromCommandLine,
    check: NsqlookupdOptions.check,
    contradictions: lookupdContradictions,
    rest: ({ httpAddress, tcpAddress }) => ({
      listeners: [...listener("TCP", tcpAddress), ...listener("HTTP", httpAddress)],
      certificate: "",
      maxConnections: undefined
    })
  }),
  nsqadmin: reader<NsqadminOptions.NsqadminOptions>("nsqadmin", {
    fromCommandLine: NsqadminOptions.fromCommandLine,
    check: NsqadminOptions.check,
    contradictions: () => [],
    rest: ({ httpAddress, httpClientTlsCert }) => ({
      listeners: listener("HTTP", httpAddress),
      certificate: httpClientTlsCert,
      maxConnections: undefined
    })
  })
}

const daemonOf = (name: string): Daemon =>
  name.includes("nsqlookupd") ? "nsqlookupd" : name.includes("nsqadmin") ? "nsqadmin" : "nsqd"

/**
 * Reads a config file: `<daemon>=<path>`, or a path whose file name contains the name of the daemon. Other file names are those of nsqd.
 */
export const read = (given: string): Effect.Effect<DaemonFile> => {
  const [, name, path] = /^(nsqd|nsqlookupd|nsqadmin)=(.*)$/s.exec(given) ?? []
  return name === undefined || path === undefined
    ? readers[daemonOf(given.slice(given.lastIndexOf("/") + 1))](given)
    : readers[daemonOf(name)](path)
}
