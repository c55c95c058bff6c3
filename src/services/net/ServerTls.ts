/**
 * TLS for the clients of this daemon, over TCP (`tls_v1`) and HTTPS: certificates, the policy for client certificates, and the
 * server's side of the handshake. Requires a certificate; `node:tls` is loaded only with one.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import type { Socket } from "node:net"
import type { Server, TlsOptions, TLSSocket } from "node:tls"
import { handshakeFailure, invalidTlsConfig, type NetError } from "./NetError.ts"
import * as TlsFiles from "./TlsFiles.ts"
import type { TlsHandshake } from "./TlsHandshake.ts"

export { details } from "./TlsDetails.ts"

/** The timeout of handshakes without a waiting fiber, because their connection ended in the meantime. */
const backstopMillis = 10_000

/**
 * The server's side of TLS. `make` reads it from files.
 *
 * @since 0.2.0
 * @category models
 */
export interface ServerTls extends TlsHandshake {
  /** Converts an error event of a server to the failure of a handshake. */
  readonly handshakeFailed: (error: NodeJS.ErrnoException) => NetError
  /** The options for other servers, such as HTTPS. */
  readonly serverOptions: () => TlsOptions
  /** Gives a server made with `serverOptions` its trusted certificates, and updates it after each `reload`. */
  readonly keepCurrent: (server: Server) => Effect.Effect<void, never, Scope.Scope>
  /** Reads the files again. If they are not valid, it fails and changes nothing. */
  readonly reload: Effect.Effect<void, NetError>
}

/**
 * The TLS of this daemon; `undefined` without a certificate, which is the default.
 *
 * @since 0.2.0
 * @category references
 */
export const ServerTls: Context.Reference<ServerTls | undefined> = Context.Reference(
  "effect-nsq/transport/ServerTls",
  { defaultValue: (): ServerTls | undefined => undefined }
)

type Outcome = (effect: Effect.Effect<TLSSocket, NetError>) => void

/**
 * Reads the files of `options`; returns `undefined` without a certificate. Fails with the reason `InvalidTlsConfig`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: TlsFiles.TlsSettings) {
  const policy = options.tlsClientAuthPolicy
  if (policy !== "" && policy !== "require" && policy !== "require-verify") {
    return yield* invalidTlsConfig(
      `--tls-client-auth-policy must be require or require-verify, not ${JSON.stringify(policy)}`
    )
  }
  let files = yield* TlsFiles.load(options)
  if (files === undefined) return undefined
  const Tls = yield* Effect.promise(() => import("node:tls"))
  const old = options.tlsMinVersion === "TLSv1" || options.tlsMinVersion === "TLSv1.1"
  const settings: TlsOptions = {
    minVersion: options.tlsMinVersion,
    maxVersion: "TLSv1.3",
    // OpenSSL refuses versions below 1.2 as insecure unless its security level is 0.
    ...(old ? { ciphers: `${Tls.DEFAULT_CIPHERS}:@SECLEVEL=0` } : {}),
    requestCert: policy !== "",
    // The defaults of Node's servers, which secure contexts lack.
    honorCipherOrder: true,
    sessionIdContext: "effect-nsq",
    // `refusal` decides instead, because it gives a reason.
    rejectUnauthorized: false,
    handshakeTimeout: backstopMillis
  }
  const serverOptions = (): TlsOptions => ({ ...settings, ...files })
  /**
   * Gives a server a context with its options. Node's servers create theirs without `allowPartialTrustChain`, so that only roots
   * would be trusted. If Node stops using this property, only that is lost, and the tests fail.
   */
  const trustAsGiven = (server: Server): void =>
    void Object.assign(server, { _sharedCreds: Tls.createSecureContext(serverOptions()) })

  // This server never listens: it only runs the handshakes of sockets that are passed to it.
  const server = Tls.createServer(serverOptions())
  trustAsGiven(server)
  // The handshake that an event of the server belongs to, which the event does not contain.
  const handshakes = new AsyncLocalStorage<Outcome>()
  server.on("secureConnection", (secure) => {
    // Without a listener an error would end the process, also before the socket has an owner.
    secure.on("error", () => {})
    secure.allowHalfOpen = true
    const done = handshakes.getStore()
    if (done === undefined) return void secure.destroy()
    done(Effect.succeed(secure))
  })
  server.on("tlsClientError", (error) => handshakes.getStore()?.(Effect.fail(handshakeFailed(error))))
  const servers = new Set([server])

  const handshake = (socket: Socket): Effect.Effect<TLSSocket, NetError> =>
    Effect.callback((resume) => {
      const closed = (): void => resume(Effect.fail(handshakeFailure("EOF")))
      const done: Outcome = (outcome) => {
        socket.off("close", closed)
        resume(outcome)
      }
      socket.once("close", closed)
      // The end of the client's side during the handshake closes the connection.
      socket.allowHalfOpen = false
      handshakes.run(done, () => server.emit("connection", socket))
      return Effect.sync(() => void socket.off("close", closed))
    })

  const refusal = (secure: TLSSocket): string | undefined => {
    if (policy === "") return undefined
    if (secure.getPeerX509Certificate() === undefined) return "tls: client didn't provide a certificate"
    if (policy === "require" || secure.authorized) return undefined
    return `tls: failed to verify client certificate: ${verificationText(String(secure.authorizationError))}`
  }

  const tls: ServerTls = {
    handshake,
    refusal,
    handshakeFailed,
    serverOptions,
    keepCurrent: (follower) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          trustAsGiven(follower)
          servers.add(follower)
        }),
        () => Effect.sync(() => void servers.delete(follower))
      ),
    reload: Effect.gen(function*() {
      // The flags have not changed, so there is a certificate.
      files = (yield* TlsFiles.load(options)) ?? files
      for (const each of servers) {
        each.setSecureContext(serverOptions())
        trustAsGiven(each)
      }
    })
  }
  return tls
})

/**
 * Provides the TLS of these options. Fails with the reason `InvalidTlsConfig`.
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = (options: TlsFiles.TlsSettings): Layer.Layer<never, NetError> =>
  Layer.effect(ServerTls, make(options))

// ---- descriptions of handshakes, with the texts of Go's TLS

const handshakeFailed = (error: NodeJS.ErrnoException): NetError => {
  switch (error.code) {
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_HTTP_REQUEST":
    case "ERR_SSL_UNKNOWN_PROTOCOL":
      return handshakeFailure("tls: first record does not look like a TLS handshake")
    case "ERR_SSL_UNSUPPORTED_PROTOCOL":
      return handshakeFailure("tls: client offered only unsupported versions")
    case "ERR_SSL_NO_SHARED_CIPHER":
      return handshakeFailure("tls: no cipher suite supported by both client and server")
    case undefined:
      return handshakeFailure(`tls: ${error.message.replaceAll(/\s+/g, " ").trim()}`)
    default:
      return handshakeFailure(`tls: ${error.code.replace(/^ERR_(SSL_)?/, "").toLowerCase().replaceAll("_", " ")}`)
  }
}

const verificationText = (code: string): string => {
  switch (code) {
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "x509: certificate has expired or is not yet valid"
    case "CERT_SIGNATURE_FAILURE":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return "x509: certificate signed by unknown authority"
    default:
      return `x509: ${code.toLowerCase().replaceAll("_", " ")}`
  }
}
