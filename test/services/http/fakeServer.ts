/** An HTTP server that a test makes up, on a free port. */
import { Effect } from "effect"
import * as Http from "node:http"

/** Its address, `127.0.0.1:port`, also where it listens on `host`. It ends with the Scope, whoever is still connected. */
export const fakeServer = (onRequest: Http.RequestListener, host = "127.0.0.1") =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Http.Server>((resume) => {
        const server = Http.createServer(onRequest)
        server.listen(0, host, () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    ),
    (server) => {
      const address = server.address()
      return typeof address === "object" ? `127.0.0.1:${address?.port}` : ""
    }
  )
