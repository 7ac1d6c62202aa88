"""Does training inside a vision-language model make social cues less decodable?"""
