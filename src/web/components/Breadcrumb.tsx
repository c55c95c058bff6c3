import type { Route } from "../core/route.ts"
import { Link } from "./Link.tsx"

/** Links to the parents of a page, and the name of the page. */
export const Breadcrumb = ({ here, way }: {
  readonly way: ReadonlyArray<readonly [string, Route]>
  readonly here: string
}) => (
  <nav className="breadcrumb" aria-label="Breadcrumb">
    <ol>
      {way.map(([name, route]) => (
        <li key={name}>
          <Link to={route}>{name}</Link>
        </li>
      ))}
      <li aria-current="page">{here}</li>
    </ol>
  </nav>
)
