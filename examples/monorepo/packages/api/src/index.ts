export { describe } from "./describe.js";
export { serve } from "./http.js";
export { Service } from "./service.js";
export { EventFile, Volatile, type Storage } from "./storage.js";
