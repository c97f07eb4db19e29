import type { Success } from "./Success";
import type { WarmLimits } from "./WarmLimits";
import type { WarmWay } from "./WarmWay";
export type Warm = { what: string, way: WarmWay, limits: WarmLimits, success: Success, namespaces: Array<string> };
