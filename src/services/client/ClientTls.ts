/**
 * The client's side of TLS, on a connection that began in plain text. Loads `node:tls` on first use.
 */
import { Effect } from "effect"
import type * as Tls from "node:tls"
import { handshakeFailure } from "../net/NetError.ts"
import type { TlsHandshake } from "../net/TlsHandshake.ts"
import * as Trust from "../net/Trust.ts"
import type { TlsOptions } from "./TlsOptions.ts"

/** The certificates that verify the server. */
const trust = (tls: typeof Tls, options: TlsOptions): Tls.ConnectionOptions => {
  if (options.ca !== undefined) return Trust.given(options.ca)
  if (options.insecureSkipVerify === true) return {}
  const isPlain = options.cert === undefined && options.key === undefined
  return isPlain ? { secureContext: Trust.systemContext(tls, options.minVersion) } : Trust.system(tls)
}

/** Returns the client's TLS handshake. `host` is the name that the server's certificate must be valid for. */
export const make = (options: TlsOptions, host: string): Effect.Effect<TlsHandshake> =>
  Effect.map(Effect.promise(() => import("node:tls")), (tls) => ({
    handshake: (socket) =>
      Effect.callback((resume) => {
        const settings: Tls.ConnectionOptions = {
          socket,
          // The name is for SNI, which does not allow IP addresses.
          ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
          host,
          rejectUnauthorized: options.insecureSkipVerify !== true,
          ...trust(tls, options),
          ...(options.cert === undefined ? {} : { cert: options.cert }),
          ...(options.key === undefined ? {} : { key: options.key }),
          ...(options.minVersion === undefined ? {} : { minVersion: options.minVersion })
        }
        const secure = tls.connect(settings)
        const failed = (error: Error): void => resume(Effect.fail(handshakeFailure(`tls: ${error.message}`)))
        const closed = (): void => failed(new Error("the connection was closed"))
        secure.once("error", failed)
        secure.once("close", closed)
        secure.once("secureConnect", () => {
          secure.off("close", closed)
          resume(Effect.succeed(secure))
        })
      }),
    // A server certificate that is not valid already fails the handshake.
    refusal: () => undefined
  }))
